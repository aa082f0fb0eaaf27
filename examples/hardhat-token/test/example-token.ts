/**
 * The project's test: `hardhat run test/example-token.ts --network concordat`. It deploys the token
 * through Hardhat's own provider, which fills in gas, fees and nonce and signs, and checks it with
 * ordinary ethers calls.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { type BaseContract, BrowserProvider, Contract, ContractFactory, Wallet } from 'ethers';
import { artifacts, network } from 'hardhat';

const supply = 1_000_000n * 10n ** 18n;

suite('ExampleToken on a Concordat network', () => {
  let connection: Awaited<ReturnType<typeof network.create>>;
  let provider: BrowserProvider;
  let owner: string;
  let token: Contract;

  before(async () => {
    connection = await network.create();
    provider = new BrowserProvider(connection.provider, undefined, { cacheTimeout: -1 });
    provider.pollingInterval = 100;
    const signer = await provider.getSigner();
    owner = await signer.getAddress();
    const { abi, bytecode } = await artifacts.readArtifact('ExampleToken');
    const deployed: BaseContract = await new ContractFactory(abi, bytecode, signer).deploy(supply);
    await deployed.waitForDeployment();
    token = new Contract(await deployed.getAddress(), abi, signer);
  });

  after(async () => {
    provider.destroy();
    await connection.close();
  });

  const call = (name: string, ...values: unknown[]) => token.getFunction(name)(...values);
  const send = async (name: string, ...values: unknown[]) => (await call(name, ...values)).wait();

  test('the whole supply belongs to the deployer', async () => {
    assert.equal(await call('name'), 'Example Token');
    assert.equal(await call('totalSupply'), supply);
    assert.equal(await call('balanceOf', owner), supply);
    assert.equal(await call('owner'), owner);
  });

  test('a transfer moves tokens and is told by an event', async () => {
    const friend = Wallet.createRandom().address;
    const receipt = await send('transfer', friend, 25n);
    assert.equal(receipt.status, 1);
    assert.equal(await call('balanceOf', friend), 25n);
    const [event] = await token.queryFilter('Transfer', receipt.blockNumber, receipt.blockNumber);
    assert.ok(event && 'args' in event);
    assert.deepEqual([...event.args], [owner, friend, 25n]);
  });

  test('burning takes tokens out of the supply', async () => {
    const before = (await call('totalSupply')) as bigint;
    await send('burn', 7n);
    assert.equal(await call('totalSupply'), before - 7n);
  });

  test('a transfer beyond the allowance is refused with the standard error', async () => {
    const stranger = Wallet.createRandom().address;
    const attempt = token.getFunction('transferFrom').staticCall(stranger, owner, 1n);
    await assert.rejects(attempt, (error: { revert?: { name: string } }) => {
      assert.equal(error.revert?.name, 'ERC20InsufficientAllowance');
      return true;
    });
  });

  test('only the owner mints', async () => {
    const stranger = Wallet.createRandom().connect(provider);
    const asStranger = token.connect(stranger) as Contract;
    await assert.rejects(asStranger.getFunction('mint').staticCall(stranger.address, 1n), {
      code: 'CALL_EXCEPTION',
    });
    await send('mint', stranger.address, 9n);
    assert.equal(await call('balanceOf', stranger.address), 9n);
  });
});
