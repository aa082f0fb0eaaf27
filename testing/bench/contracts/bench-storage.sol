// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// 200 hashes and 50 writes of storage a call, for measuring what is neither calls nor arithmetic.
contract BenchStorage {
    mapping(uint256 => bytes32) private slots;

    function work(uint256 seed) external {
        bytes32 hash = bytes32(seed);
        for (uint256 i = 0; i < 50; i++) {
            // Finding the slot of a mapping is the fourth hash.
            hash = keccak256(abi.encodePacked(hash, i));
            hash = keccak256(abi.encodePacked(i, hash));
            hash = keccak256(abi.encodePacked(hash, hash));
            slots[i] = hash;
        }
    }
}
