"""The product's SQLite backend (an ENGINE of Django): it lets no database take the log of another one."""
