/** The program of an application's process, where it is not part of an image. */
import { serveApplication } from './serve.ts';

serveApplication(process.argv.slice(2));
