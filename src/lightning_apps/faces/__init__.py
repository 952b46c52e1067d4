"""The import paths that people use, one file each: explicit re-exports, no logic."""
