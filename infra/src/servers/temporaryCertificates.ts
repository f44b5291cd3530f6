import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { generate } from 'selfsigned';
import { LOOPBACK } from '../runtime/ports.ts';

/**
 * An authority of its own and certificates that it signed, for servers that tests speak to over TLS: a good one for
 * `localhost` and its address, one for another name, one that has expired.
 */
export type TemporaryCertificates = {
  /** The authority's certificate: as text, and as a file. */
  authority: string;
  authorityFile: string;
  good: TemporaryCertificate;
  otherName: TemporaryCertificate;
  expired: TemporaryCertificate;
  /** Lets this process trust the authority, as NODE_EXTRA_CA_CERTS does for a new one; the return takes it back. */
  trusted(): () => void;
  remove(): void;
};

export type TemporaryCertificate = {
  certificate: string;
  key: string;
  certificateFile: string;
  keyFile: string;
  /** Key and certificate in one, as Kafka takes them. */
  pairFile: string;
};

export async function temporaryCertificates(): Promise<TemporaryCertificates> {
  const folder = mkdtempSync(join(tmpdir(), 'brokerx-certificates-'));
  const authority = await generate(named('BrokerX test authority'), {
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, critical: true },
    ],
  });
  const signed = async (
    file: string,
    names: readonly Name[],
    validity = {},
  ): Promise<TemporaryCertificate> => {
    const { cert: certificate, private: key } = await generate(named(file), {
      algorithm: 'sha256',
      ca: { key: authority.private, cert: authority.cert },
      extensions: [{ name: 'subjectAltName', altNames: [...names] }],
      ...validity,
    });
    const at = (suffix: string, text: string) => {
      const path = join(folder, `${file}.${suffix}`);
      writeFileSync(path, text, { mode: 0o600 });
      return path;
    };
    return {
      certificate,
      key,
      certificateFile: at('crt', certificate),
      keyFile: at('key', key),
      pairFile: at('pem', key + certificate),
    };
  };
  const authorityFile = join(folder, 'authority.crt');
  writeFileSync(authorityFile, authority.cert);
  const here: Name[] = [
    { type: DNS_NAME, value: 'localhost' },
    { type: IP_ADDRESS, ip: LOOPBACK },
  ];
  return {
    authority: authority.cert,
    authorityFile,
    good: await signed('good', here),
    otherName: await signed('other-name', [{ type: DNS_NAME, value: 'other.example' }]),
    expired: await signed('expired', here, PAST),
    trusted() {
      const before = tls.getCACertificates('default');
      tls.setDefaultCACertificates([...before, authority.cert]);
      return () => tls.setDefaultCACertificates(before);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** PostgreSQL reads its key only where it owns it: as root it runs as another user. */
export function readableBy(
  user: string | undefined,
  { certificateFile, keyFile }: TemporaryCertificate,
): void {
  if (user === undefined) return;
  execFileSync('chmod', ['711', join(keyFile, '..')]);
  execFileSync('chown', [user, certificateFile, keyFile]);
}

const named = (value: string) => [{ name: 'commonName', value }];
const PAST = { notBeforeDate: new Date('2020-01-01'), notAfterDate: new Date('2021-01-01') };
/** Kinds of names in a certificate (RFC 5280, section 4.2.1.6). */
const DNS_NAME = 2;
const IP_ADDRESS = 7;
type Name = { type: typeof DNS_NAME; value: string } | { type: typeof IP_ADDRESS; ip: string };
