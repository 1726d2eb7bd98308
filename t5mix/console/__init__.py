"""What commands show: progress, tables, units."""
