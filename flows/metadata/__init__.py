"""Where values of metadata come from, and what is checked of them."""
