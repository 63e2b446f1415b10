"""`DistillationLoss` in a loop of your own: a small student learns a teacher's distribution, here of random data."""

import torch

import distilmt

torch.manual_seed(1)
inputs, labels = torch.randn(64, 8, 16), torch.randint(0, 50, (64, 8))  # [rows, length, width], [rows, length]
teacher, student = torch.nn.Linear(16, 50), torch.nn.Linear(16, 50)
loss_function = distilmt.DistillationLoss(alpha=0.9, temperature=2.0)
optimizer = torch.optim.Adam(student.parameters(), lr=0.05)
for step in range(41):
    with torch.no_grad():
        logprobs, ids = teacher(inputs).log_softmax(-1).topk(8)  # as a label store has them
    loss = loss_function(student(inputs), labels, teacher_top_k=(ids, logprobs))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(step, round(loss.item(), 4))
