export type { DoorOptions } from './door-guard.ts';
export { GatewayError, type GatewayErrorCode } from './errors.ts';
export { createGateway, type Gateway, type GatewayOptions } from './gateway.ts';
export type { GatewayLog } from './target-pool.ts';
