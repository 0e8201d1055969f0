"""DenseNet in small: each layer sees all before it; transitions halve the width and the size."""
import torch
import torch.nn as nn


class DenseLayer(nn.Module):
    def __init__(self, channels, growth):
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm2d(channels), nn.ReLU(inplace=True), nn.Conv2d(channels, growth, 3, padding=1, bias=False)
        )

    def forward(self, x):
        return torch.cat([x, self.layers(x)], 1)


class Transition(nn.Sequential):
    def __init__(self, channels, width):
        super().__init__(
            nn.BatchNorm2d(channels), nn.ReLU(inplace=True), nn.Conv2d(channels, width, 1, bias=False), nn.AvgPool2d(2)
        )


class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.device = device
        channels, growth = 16, 8
        stages = [nn.Conv2d(in_shape[1], channels, 3, 2, 1, bias=False)]
        for stage in range(2):
            for _ in range(3):
                stages.append(DenseLayer(channels, growth))
                channels += growth
            if stage == 0:
                stages.append(Transition(channels, channels // 2))
                channels //= 2
        self.features = nn.Sequential(*stages, nn.BatchNorm2d(channels), nn.ReLU(inplace=True))
        self.pool = nn.AdaptiveAvgPool2d((1, 1))
        self.classifier = nn.Linear(channels, out_shape[0])

    def forward(self, x):
        return self.classifier(self.pool(self.features(x)).flatten(1))

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
