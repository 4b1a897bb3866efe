"""What `manage.py doctor` looks at: a function a check, a module a part of the platform."""
