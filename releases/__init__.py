"""Verified segments to a data set that strangers can use, check and read without pressroom."""
