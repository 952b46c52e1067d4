"""The flow's process and what surrounds it: loop, loader, keeper, zygote."""
