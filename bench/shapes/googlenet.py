"""GoogLeNet's blocks, whose branches do not need each other."""

#: GoogLeNet's blocks: input channels and size, output channels of 1x1, of the 3x3 reduction and
#: 3x3, of the 5x5 reduction and 5x5, and of the projection after pooling (Szegedy et al. 2014,
#: table 1).
BLOCKS = {
    "3a": (192, 28, 64, 96, 128, 16, 32, 32), "3b": (256, 28, 128, 128, 192, 32, 96, 64),
    "4a": (480, 14, 192, 96, 208, 16, 48, 64), "4b": (512, 14, 160, 112, 224, 24, 64, 64),
    "4c": (512, 14, 128, 128, 256, 24, 64, 64), "4d": (512, 14, 112, 144, 288, 32, 64, 64),
    "4e": (528, 14, 256, 160, 320, 32, 128, 128), "5a": (832, 7, 256, 160, 320, 32, 128, 128),
    "5b": (832, 7, 384, 192, 384, 48, 128, 128),
}
