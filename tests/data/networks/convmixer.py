"""ConvMixer: patches, then depthwise and pointwise convolutions in turn."""
import torch
import torch.nn as nn


class Residual(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def forward(self, x):
        return self.fn(x) + x


class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.device = device
        width, depth, kernel = 40, 3, 5
        self.layers = nn.Sequential(
            nn.Conv2d(in_shape[1], width, 4, stride=4), nn.GELU(), nn.BatchNorm2d(width),
            *[
                nn.Sequential(
                    Residual(nn.Sequential(
                        nn.Conv2d(width, width, kernel, groups=width, padding='same'), nn.GELU(), nn.BatchNorm2d(width)
                    )),
                    nn.Conv2d(width, width, 1), nn.GELU(), nn.BatchNorm2d(width),
                )
                for _ in range(depth)
            ],
            nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(width, out_shape[0]),
        )

    def forward(self, x):
        return self.layers(x)

    def train_setup(self, prm):
        self.to(self.device)
        self.criteria = (nn.CrossEntropyLoss().to(self.device),)
        self.optimizer = torch.optim.SGD(self.parameters(), lr=prm['lr'], momentum=prm['momentum'])

    def learn(self, train_data):
        self.train()
        for inputs, labels in train_data:
            inputs, labels = inputs.to(self.device), labels.to(self.device)
            self.optimizer.zero_grad()
            loss = self.criteria[0](self(inputs), labels)
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters(), 3)
            self.optimizer.step()


def supported_hyperparameters():
    return {'lr', 'momentum'}
