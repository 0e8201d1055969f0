"""VGG in small, made from a list of widths; M is a pool."""
import torch
import torch.nn as nn

WIDTHS = (12, 'M', 24, 24, 'M', 48, 'M')


class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.device = device
        self.features = self.make_layers(in_shape[1])
        self.classifier = nn.Sequential(nn.Linear(48, 48), nn.ReLU(inplace=True), nn.Linear(48, out_shape[0]))

    @staticmethod
    def make_layers(channels):
        layers = []
        for width in WIDTHS:
            if width == 'M':
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
                channels = width
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1))

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))

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
