"""What every service needs and none should write itself: settings, logs, lifecycle, health."""
