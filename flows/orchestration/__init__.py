"""What is asked of Prefect."""
