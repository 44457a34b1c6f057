"""What the data is: records, tables, time, taxonomies, errors. Imports nothing of pressroom."""
