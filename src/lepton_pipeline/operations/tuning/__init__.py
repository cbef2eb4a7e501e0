"""Search of the keys of `training` that suit a vertical better than its declared ones."""
