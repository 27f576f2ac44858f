"""What every domain builds on; knows no domain itself."""
