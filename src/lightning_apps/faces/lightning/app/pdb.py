"""`lightning.app.pdb`: a breakpoint, in the flow or in a work."""

set_trace = breakpoint

__all__ = ["set_trace"]
