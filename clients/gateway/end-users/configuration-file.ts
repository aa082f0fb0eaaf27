import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { readIdentity } from '@concordat/sdk';
import { GatewayError } from '../errors.ts';
import type { GatewayOptions } from '../gateway.ts';
import { readConfiguration } from './configuration.ts';
import { ConfigurationPart } from './configuration-part.ts';
import type { SecretSource } from './provider-configuration.ts';

const maxFileBytes = 1024 * 1024;

/**
 * The options of a gateway from its configuration file, JSON; files it names are found from where it
 * lies. Secrets are read and end up in no message.
 * @throws GatewayError INVALID_CONFIGURATION with the path of what is wrong; SdkError INVALID_IDENTITY
 */
export async function loadConfiguration(
  file: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<GatewayOptions> {
  const directory = dirname(resolve(file));
  const whole = new ConfigurationPart(
    parse(read(file, new ConfigurationPart(undefined, file)), file),
  );
  const configuration = readConfiguration(whole, secretSource(directory, environment));
  const { networkCertificateFile, identity, tls, ...others } = configuration;
  const at = (name: string): string => resolve(directory, name);
  const text = (name: string, path: string): string =>
    read(at(name), new ConfigurationPart(undefined, path));
  return {
    ...others,
    networkCertificate: text(networkCertificateFile, 'networkCertificateFile'),
    identity: await readIdentity({
      certificateFile: at(identity.certificateFile),
      keyFile: at(identity.keyFile),
    }),
    ...(tls && {
      tls: {
        certificate: text(tls.certificateFile, 'tls.certificateFile'),
        key: text(tls.keyFile, 'tls.keyFile'),
      },
    }),
  };
}

/** `{ "file": ... }`, its content without white space around it, or `{ "environment": ... }`. */
const secretSource =
  (directory: string, environment: Readonly<Record<string, string | undefined>>): SecretSource =>
  (part) => {
    if (part.isText) part.fail('does not stand here: name a { "file" } or an { "environment" }');
    const { file, environment: name } = part.members(['file', 'environment']);
    if (file.isAbsent === name.isAbsent) part.fail('names a file or an environment variable');
    const secret = file.isAbsent
      ? environment[name.text()]
      : read(resolve(directory, file.text()), file).trim();
    return secret || part.fail('is empty, or not there');
  };

function read(file: string, part: ConfigurationPart): string {
  try {
    const text = readFileSync(file, 'utf8');
    return text.length <= maxFileBytes ? text : part.fail('is a file of more than a MiB');
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    return part.fail(`the file cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What the parser says quotes the file.
    throw new GatewayError('INVALID_CONFIGURATION', `${file} is not JSON`, { path: '' });
  }
}
