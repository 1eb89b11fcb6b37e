"""The statements of revision 0003, by what they are about."""
