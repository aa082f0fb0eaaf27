// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// A small ERC-20 for tests: the standard's functions, OpenZeppelin's custom errors (ERC-6093),
/// and one function for each way a call can fail.
contract Token {
    string public name;
    string public symbol;
    uint8 public constant decimals = 18;
    uint256 public totalSupply;
    address public immutable owner;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);

    error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed);
    error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed);
    error ERC20InvalidReceiver(address receiver);

    constructor(string memory name_, string memory symbol_, uint256 supply) {
        name = name_;
        symbol = symbol_;
        owner = msg.sender;
        _mint(msg.sender, supply);
    }

    function transfer(address to, uint256 value) external returns (bool) {
        _transfer(msg.sender, to, value);
        return true;
    }

    function approve(address spender, uint256 value) external returns (bool) {
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        uint256 allowed = allowance[from][msg.sender];
        if (allowed < value) revert ERC20InsufficientAllowance(msg.sender, allowed, value);
        if (allowed != type(uint256).max) allowance[from][msg.sender] = allowed - value;
        _transfer(from, to, value);
        return true;
    }

    function mint(address to, uint256 value) external {
        require(msg.sender == owner, "Token: only the owner may mint");
        _mint(to, value);
    }

    /// Panics with code 0x12 when divisor is zero.
    function ratio(uint256 value, uint256 divisor) external pure returns (uint256) {
        return value / divisor;
    }

    /// Emits so many events, to fill an answer with logs.
    function approveMany(address spender, uint256 times) external {
        for (uint256 i = 0; i < times; i++) emit Approval(msg.sender, spender, i);
    }

    /// Never ends by itself.
    function spin() external view returns (uint256 turns) {
        while (gasleft() > 0) turns++;
    }

    function blockValues() external view returns (uint256, uint256, address, uint256) {
        return (block.number, block.timestamp, block.coinbase, block.chainid);
    }

    function sender() external view returns (address) {
        return msg.sender;
    }

    function _mint(address to, uint256 value) private {
        if (to == address(0)) revert ERC20InvalidReceiver(to);
        totalSupply += value;
        unchecked { balanceOf[to] += value; }
        emit Transfer(address(0), to, value);
    }

    function _transfer(address from, address to, uint256 value) private {
        if (to == address(0)) revert ERC20InvalidReceiver(to);
        uint256 balance = balanceOf[from];
        if (balance < value) revert ERC20InsufficientBalance(from, balance, value);
        unchecked {
            balanceOf[from] = balance - value;
            balanceOf[to] += value;
        }
        emit Transfer(from, to, value);
    }
}
