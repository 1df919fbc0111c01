"""The commands of `headwater`, a module for each group of them."""
