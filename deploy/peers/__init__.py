"""Stand-ins for the services that budapp talks to and that are not part of this project."""
