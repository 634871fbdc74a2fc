"""Networks, and how one says where its parameters act: the paper's, with skip connections, convolutional, your own."""

from ntkbook.networks.convolution import Conv, ConvParams, conv
from ntkbook.networks.fully_connected import MLP, MLPParams, mlp
from ntkbook.networks.protocol import Affine, plain
from ntkbook.networks.skip import ResNet, resnet

__all__ = ["MLP", "Affine", "Conv", "ConvParams", "MLPParams", "ResNet", "conv", "mlp", "plain", "resnet"]
