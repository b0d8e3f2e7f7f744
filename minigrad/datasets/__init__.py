"""Data sets: found, downloaded, verified, parsed. MINIGRAD_DATA names the folder that is tried first."""

from minigrad.datasets.cifar import CIFAR10, CIFAR100
from minigrad.datasets.digits import Digits
from minigrad.datasets.fetch import DataUnavailable
from minigrad.datasets.folder import DatasetFolder, ImageFolder
from minigrad.datasets.idx import read_idx
from minigrad.datasets.mnist import KMNIST, MNIST, FashionMNIST
from minigrad.datasets.vision import VisionDataset

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "KMNIST",
    "MNIST",
    "DataUnavailable",
    "DatasetFolder",
    "Digits",
    "FashionMNIST",
    "ImageFolder",
    "VisionDataset",
    "read_idx",
]
