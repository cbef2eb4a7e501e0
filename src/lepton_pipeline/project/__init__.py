"""Reading the declarations of a project, and how to resume its runs."""
