"""Conv2d by Winograd's minimal filtering: 3x3, stride 1, in tiles of 4x4 or 2x2 outputs."""
