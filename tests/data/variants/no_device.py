"""No device in __init__; train_setup(device, prms); a learn that returns the loss."""
import torch
import torch.nn as nn
import torch.nn.functional as F


def supported_hyperparameters():
    return {'lr', 'momentum', 'dropout'}


class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prms):
        super().__init__()
        self.conv = nn.Conv2d(in_shape[1], 12, 3, padding=1)
        self.drop = nn.Dropout(prms['dropout'])
        self.head = nn.Linear(12, out_shape[0])

    def forward(self, x):
        return self.head(self.drop(F.relu(self.conv(x)).amax(dim=(2, 3))))

    def train_setup(self, device, prms):
        self.device = device
        self.to(device)
        self.criteria = nn.CrossEntropyLoss().to(device)
        self.optimizer = torch.optim.SGD(self.parameters(), lr=prms['lr'], momentum=prms.get('momentum', 0.9))

    def learn(self, train_data):
        self.train()
        total = 0.0
        for inputs, labels in train_data:
            inputs, labels = inputs.to(self.device), labels.to(self.device)
            self.optimizer.zero_grad()
            loss = self.criteria(self(inputs), labels)
            loss.backward()
            self.optimizer.step()
            total += loss.item()
        return total / len(train_data)
