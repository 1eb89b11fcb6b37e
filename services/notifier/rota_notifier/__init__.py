"""The notifier tells people what runs came to; a channel that fails never changes a result."""
