export type { DoorTls } from './door.ts';
export type { DoorOptions } from './door-guard.ts';
export type { PathAccess, PathRule } from './end-users/access-rules.ts';
export { loadConfiguration } from './end-users/configuration-file.ts';
export type {
  BrowserSettings,
  ClaimPath,
  EndUserSettings,
  ProviderSettings,
  ServiceSettings,
  SessionSettings,
} from './end-users/settings.ts';
export { GatewayError, type GatewayErrorCode } from './errors.ts';
export { checkGateway, createGateway, type Gateway, type GatewayOptions } from './gateway.ts';
export type { GatewayLog } from './target-pool.ts';
