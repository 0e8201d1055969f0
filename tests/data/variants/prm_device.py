"""train_setup(prm, device); a learn that returns (loss, accuracy) and reads len(train_data.dataset)."""
import torch
from torch import nn


def supported_hyperparameters():
    return ['lr', 'momentum']


class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        channels, height, width = in_shape[1:]
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, 32), nn.GELU())
        self.head = nn.Linear(32, out_shape[0])

    def forward(self, x):
        return self.head(self.layers(x))

    def train_setup(self, prm, device):
        self.device = device
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.AdamW(self.parameters(), lr=prm['lr'])

    def learn(self, train_data):
        loss_sum, correct = 0.0, 0
        for inputs, labels in train_data:
            self.optimizer.zero_grad()
            outputs = self(inputs.to(self.device))
            loss = self.criterion(outputs, labels.to(self.device))
            loss.backward()
            self.optimizer.step()
            loss_sum += float(loss) * len(labels)
            correct += int((outputs.argmax(1) == labels).sum())
        return loss_sum / len(train_data.dataset), correct / len(train_data.dataset)
