-- One row: how many transactions have written; two that both change it clash.
update meta.turns
set number = number + 1;
