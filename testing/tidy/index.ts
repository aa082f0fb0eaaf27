export { type ConfigurationSchema, renderConfigurationPage } from './configuration-page.ts';
export { type Room, readRooms } from './rooms.ts';
