// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Who holds a consignment, handed over from one party to the next.
contract Consignment {
    string public goods;
    address public holder;
    uint256 public handovers;

    event HandedOver(address indexed from, address indexed to, uint256 number);

    error NotTheHolder(address holder);

    constructor(string memory goods_) {
        goods = goods_;
        holder = msg.sender;
    }

    function handOver(address to) external {
        if (msg.sender != holder) revert NotTheHolder(holder);
        handovers += 1;
        emit HandedOver(holder, to, handovers);
        holder = to;
    }
}
