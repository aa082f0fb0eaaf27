export { type Room, readRooms } from './rooms.ts';
