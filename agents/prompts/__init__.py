"""Prompt texts, as package data."""
