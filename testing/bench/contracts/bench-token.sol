// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// OpenZeppelin's ERC-20 with a supply for each of many holders, for measuring transfers.
contract BenchToken is ERC20 {
    constructor(address[] memory holders, uint256 each) ERC20("Bench Token", "BENCH") {
        for (uint256 i = 0; i < holders.length; i++) _mint(holders[i], each);
    }
}
