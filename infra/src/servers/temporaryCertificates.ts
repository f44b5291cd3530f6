import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { generate } from 'selfsigned';
import { LOOPBACK } from '../runtime/ports.ts';

/**
 * A certificate authority and certificates that it has signed, for tests with servers over TLS: a valid one for `localhost` and
 * its address, one for another name, and one that has expired.
 */
export type TemporaryCertificates = {
  /** The authority's certificate: as text, and as a file. */
  authority: string;
  authorityFile: string;
  good: TemporaryCertificate;
  otherName: TemporaryCertificate;
  expired: TemporaryCertificate;
  /** Makes this process trust the authority, as NODE_EXTRA_CA_CERTS does at a start. Returns a function that undoes it. */
  trust(): () => void;
  remove(): void;
};

export type TemporaryCertificate = {
  certificate: string;
  key: string;
  certificateFile: string;
  keyFile: string;
  /** Key and certificate in one file, as Kafka needs them. */
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
  const sign = async (file: string, names: readonly Name[], validity = {}): Promise<TemporaryCertificate> => {
    const { cert: certificate, private: key } = await generate(named(file), {
      algorithm: 'sha256',
      ca: { key: authority.private, cert: authority.cert },
      extensions: [{ name: 'subjectAltName', altNames: [...names] }],
      ...validity,
    });
    const write = (suffix: string, text: string) => {
      const path = join(folder, `${file}.${suffix}`);
      writeFileSync(path, text, { mode: 0o600 });
      return path;
    };
    return {
      certificate,
      key,
      certificateFile: write('crt', certificate),
      keyFile: write('key', key),
      pairFile: write('pem', key + certificate),
    };
  };
  const authorityFile = join(folder, 'authority.crt');
  writeFileSync(authorityFile, authority.cert);
  const loopbackNames: Name[] = [
    { type: DNS_NAME, value: 'localhost' },
    { type: IP_ADDRESS, ip: LOOPBACK },
  ];
  return {
    authority: authority.cert,
    authorityFile,
    good: await sign('good', loopbackNames),
    otherName: await sign('other-name', [{ type: DNS_NAME, value: 'other.example' }]),
    expired: await sign('expired', loopbackNames, EXPIRED_DATES),
    trust() {
      const before = tls.getCACertificates('default');
      tls.setDefaultCACertificates([...before, authority.cert]);
      return () => tls.setDefaultCACertificates(before);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Gives the files to a user: PostgreSQL must own its key, and under root it runs as another user. */
export function readableBy(
  user: string | undefined,
  { certificateFile, keyFile }: TemporaryCertificate,
): void {
  if (user === undefined) return;
  execFileSync('chmod', ['711', join(keyFile, '..')]);
  execFileSync('chown', [user, certificateFile, keyFile]);
}

const named = (value: string) => [{ name: 'commonName', value }];
const EXPIRED_DATES = { notBeforeDate: new Date('2020-01-01'), notAfterDate: new Date('2021-01-01') };
/** Kinds of names in a certificate (RFC 5280, section 4.2.1.6). */
const DNS_NAME = 2;
const IP_ADDRESS = 7;
type Name = { type: typeof DNS_NAME; value: string } | { type: typeof IP_ADDRESS; ip: string };
