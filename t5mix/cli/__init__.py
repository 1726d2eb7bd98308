"""The command line. Thin: each command reads its arguments, calls one function of the package and shows the result."""
