"""A recurrent network that reads the image row by row."""
import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.device = device
        self.gru = nn.GRU(in_shape[1] * in_shape[3], 64, batch_first=True)
        self.norm = nn.LayerNorm(64)
        self.fc = nn.Linear(64, out_shape[0])

    def forward(self, x):
        rows = x.transpose(1, 2).flatten(2)
        states, _ = self.gru(rows)
        return self.fc(self.norm(states.mean(1) + states[:, -1]))

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
