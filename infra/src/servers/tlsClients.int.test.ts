import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { startEventStoreDbServer } from '../../test/eventStoreDbServer.ts';
import { eventStoreFault } from '../eventStore/eventstoredb/fault.ts';
import { reachEventStoreDb } from '../eventStore/eventstoredb/reachable.ts';
import { openKafka } from '../kafka/kafka.ts';
import { migrate } from '../postgres/migrate.ts';
import { openRedis } from '../redis/redis.ts';
import { createLog } from '../runtime/log.ts';
import { freePort, LOOPBACK } from '../runtime/ports.ts';
import { realRuntime } from '../runtime/runtime.ts';
import { type BrokerSettings, type KafkaBroker, kafkaBroker } from './kafkaBroker.ts';
import {
  readableBy,
  type TemporaryCertificate,
  type TemporaryCertificates,
  temporaryCertificates,
} from './temporaryCertificates.ts';
import { startTemporaryPostgres, type TemporaryPostgres } from './temporaryPostgres.ts';
import { hasRedisServer, startTemporaryRedis } from './temporaryRedis.ts';

/**
 * Every client of ours against real servers that speak TLS: reached by name and by address under an authority of its
 * own; and what is said where that does not come about. Mail is beside its own client, in command-api.
 */
const log = createLog({ name: 'test-tls', level: 'silent' });
const HOSTS = ['localhost', LOOPBACK] as const;
const SECRET = 'a-secret-nobody-may-read';

let certificates: TemporaryCertificates;
let distrust: (() => void) | null = null;
beforeAll(async () => {
  certificates = await temporaryCertificates();
});
afterEach(() => {
  distrust?.();
  distrust = null;
});
afterAll(() => certificates.remove());
const trust = () => {
  distrust = certificates.trust();
};

/** `null`: it was reached; else the one line that is said. */
type Reached = Promise<string | null>;
const said = (work: Promise<unknown>): Reached =>
  work.then(
    () => null,
    (error: Error) => {
      expect(error.message).not.toContain(SECRET);
      expect(error.message).not.toContain('\n');
      return error.message;
    },
  );

describe('PostgreSQL', () => {
  let server: TemporaryPostgres;
  beforeAll(async () => {
    server = await startTemporaryPostgres(log);
    await sql(`alter role brokerx password '${SECRET}'`);
  });
  afterAll(() => server?.stop());

  const address = (host: string, password = SECRET, query = '?sslmode=verify-full') =>
    server.url.replace(/\/\/.*@[^:]+/, `//brokerx:${password}@${host}`) + query;
  const sql = async (...statements: string[]) => {
    const own = new pg.Client(
      statements[0]?.includes('password') ? server.url : address(LOOPBACK, SECRET, ''),
    );
    await own.connect();
    for (const statement of statements) await own.query(statement);
    await own.end();
  };
  /** A running server takes another certificate for the connections that come after it has read its settings again. */
  const present = async (pair: TemporaryCertificate) => {
    if (process.getuid?.() === 0) readableBy('postgres', pair);
    await sql(
      `alter system set ssl_cert_file = '${pair.certificateFile}'`,
      `alter system set ssl_key_file = '${pair.keyFile}'`,
      'alter system set ssl = on',
      'select pg_reload_conf()',
    );
    await expect
      .poll(async () => {
        const own = new pg.Client(address(LOOPBACK, SECRET, ''));
        await own.connect();
        const { rows } = await own.query<{ file: string }>(
          "select setting as file from pg_settings where name = 'ssl_cert_file'",
        );
        await own.end();
        return rows[0]?.file;
      })
      .toBe(pair.certificateFile);
  };
  const reach = (databaseUrl: string): Reached =>
    said(
      migrate({ databaseUrl, directory: new URL('../../migrations/vault', import.meta.url), name: 'vault' }),
    );

  test('a server without TLS is named as one', async () => {
    expect(await reach(address('localhost'))).toMatch(
      /^DATABASE_URL \(localhost:\d+\): the server does not speak TLS\. .*sslmode=disable\.$/,
    );
  });
  test.each(HOSTS)(
    'a certificate of an authority of its own is taken for %s where it is trusted',
    async (host) => {
      await present(certificates.good);
      expect(await reach(address(host))).toMatch(
        /an authority that is not known here\. .*NODE_EXTRA_CA_CERTS/,
      );
      trust();
      expect(await reach(address(host))).toBeNull();
    },
  );
  test('another name, an old certificate and a wrong password are each told', async () => {
    trust();
    await present(certificates.otherName);
    expect(await reach(address('localhost'))).toMatch(/is for another name: DNS:other\.example\. /);
    await present(certificates.expired);
    expect(await reach(address('localhost'))).toMatch(/has expired, or is not valid yet\. Renew it/);
    await present(certificates.good);
    expect(await reach(address('localhost', 'wrong'))).toMatch(/does not let this user in\. Check the user/);
  });
});

describe('EventStoreDB', () => {
  const served = async (pair: TemporaryCertificate | null, use: (port: string) => Promise<void>) => {
    const server = await startEventStoreDbServer(pair ? { tls: pair } : {});
    try {
      await use(new URL(server.url.replace('esdb:', 'http:')).port);
    } finally {
      await server.stop();
    }
  };
  const reach = (host: string, port: string, query: string): Reached => {
    const url = `esdb://admin:${SECRET}@${host}:${port}?${query}`;
    return said(
      reachEventStoreDb({ url, runtime: realRuntime }).catch((error: unknown) => {
        throw eventStoreFault(url, error);
      }),
    );
  };
  const trusting = () => `tls=true&tlsCAFile=${certificates.authorityFile}`;

  test.each(HOSTS)(
    'a certificate of an authority of its own is taken for %s where it is trusted',
    async (host) => {
      await served(certificates.good, async (port) => {
        expect(await reach(host, port, 'tls=true')).toMatch(
          /authority that is not known here\. .*tlsCAFile=FILE/,
        );
        expect(await reach(host, port, trusting())).toBeNull();
      });
    },
  );
  test.each(HOSTS)('another name and an old certificate are told for %s', async (host) => {
    await served(certificates.otherName, async (port) => {
      expect(await reach(host, port, trusting())).toMatch(/^EVENTSTORE_URL .*is for another name/);
    });
    await served(certificates.expired, async (port) => {
      expect(await reach(host, port, trusting())).toMatch(/has expired, or is not valid yet/);
    });
  });
  test('TLS spoken to a server without it, and the other way round, say which to change', async () => {
    await served(null, async (port) => {
      expect(await reach('localhost', port, 'tls=true')).toMatch(/does not speak TLS\. .*tls=false/);
    });
    await served(certificates.good, async (port) => {
      expect(await reach('localhost', port, 'tls=false')).toMatch(/closes the connection.*tls=true/);
    });
  });
});

describe.runIf(hasRedisServer())('Redis', () => {
  const served = async (pair: TemporaryCertificate, use: (tls: number, plain: number) => Promise<void>) => {
    const port = await freePort();
    const server = await startTemporaryRedis({
      requirepass: SECRET,
      'tls-port': String(port),
      'tls-cert-file': pair.certificateFile,
      'tls-key-file': pair.keyFile,
      'tls-auth-clients': 'no',
    });
    try {
      await use(port, server.port);
    } finally {
      await server.stop();
    }
  };
  /** A server that may come yet is gone on without: then the reason is in the log. */
  const reach = (url: string): Reached => {
    const reasons: string[] = [];
    const write = (line: string) => void reasons.push(JSON.parse(line).reason);
    const noted = createLog({ name: 'test-tls', level: 'warn', destination: { write } });
    return said(
      openRedis({ url, name: 'test', runtime: realRuntime, log: noted }).then(async (connection) => {
        await connection.close();
        if (reasons[0]) throw new Error(reasons[0]);
      }),
    );
  };

  test.each(HOSTS)(
    'a certificate of an authority of its own is taken for %s where it is trusted',
    async (host) => {
      await served(certificates.good, async (port) => {
        const url = `rediss://:${SECRET}@${host}:${port}`;
        expect(await reach(url)).toMatch(
          /^REDIS_URL .*authority that is not known here\. .*NODE_EXTRA_CA_CERTS/,
        );
        trust();
        expect(await reach(url)).toBeNull();
      });
    },
  );
  test('another name, an old certificate, a wrong password and the wrong protocol are each told', async () => {
    trust();
    await served(certificates.otherName, async (port) => {
      expect(await reach(`rediss://:${SECRET}@localhost:${port}`)).toMatch(
        /another name: DNS:other\.example/,
      );
    });
    await served(certificates.expired, async (port) => {
      expect(await reach(`rediss://:${SECRET}@localhost:${port}`)).toMatch(/has expired/);
    });
    await served(certificates.good, async (port, plain) => {
      expect(await reach(`rediss://:wrong@localhost:${port}`)).toMatch(/does not let this user in/);
      expect(await reach(`redis://:${SECRET}@localhost:${port}`)).toMatch(
        /If it speaks TLS, use rediss:\/\//,
      );
      expect(await reach(`rediss://:${SECRET}@localhost:${plain}`)).toMatch(/TLS, use redis:\/\//);
    });
  });
});

const jars = inject('kafkaJars') ?? '';

describe.runIf(jars !== '')('Kafka', () => {
  let broker: KafkaBroker;
  const LISTENERS = ['GOOD', 'OTHER', 'EXPIRED', 'SIGNED'] as const;
  const ports = new Map<string, number>();
  beforeAll(async () => {
    for (const name of LISTENERS) ports.set(name, await freePort());
    const pairs = { GOOD: 'good', OTHER: 'otherName', EXPIRED: 'expired', SIGNED: 'good' } as const;
    const settings = (usual: BrokerSettings): BrokerSettings => {
      const at = LISTENERS.map((name) => `${name}://${LOOPBACK}:${ports.get(name)}`).join(',');
      const protocols = LISTENERS.map((name) => `${name}:${name === 'SIGNED' ? 'SASL_SSL' : 'SSL'}`).join(
        ',',
      );
      const stores = LISTENERS.flatMap((name) => {
        const prefix = `listener.name.${name.toLowerCase()}.ssl.keystore`;
        return [
          [`${prefix}.type`, 'PEM'],
          [`${prefix}.location`, certificates[pairs[name]].pairFile],
        ] as const;
      });
      const sasl = 'listener.name.signed';
      return {
        ...usual,
        listeners: `${usual.listeners},${at}`,
        'advertised.listeners': `${usual['advertised.listeners']},${at}`,
        'listener.security.protocol.map': `${usual['listener.security.protocol.map']},${protocols}`,
        ...Object.fromEntries(stores),
        'sasl.enabled.mechanisms': 'PLAIN',
        [`${sasl}.sasl.enabled.mechanisms`]: 'PLAIN',
        [`${sasl}.plain.sasl.jaas.config`]: `org.apache.kafka.common.security.plain.PlainLoginModule required user_brokerx="${SECRET}";`,
      };
    };
    broker = await kafkaBroker({ libs: jars, log, settings });
    await broker.start();
  });
  afterAll(() => broker?.remove());

  const reach = (address: string, { ssl = true, password = '' } = {}): Reached => {
    const sasl = password && { mechanism: 'plain' as const, username: 'brokerx', password };
    const settings = { brokers: [address], ssl, replication: 1, ...(sasl ? { sasl } : {}) };
    const kafka = openKafka(settings, { clientId: 'test', log, runtime: realRuntime });
    return said(kafka.prepareTopics([{ name: 'test-tls', partitions: 1 }]));
  };

  test.each(HOSTS)(
    'a certificate of an authority of its own is taken for %s where it is trusted',
    async (host) => {
      const address = `${host}:${ports.get('GOOD')}`;
      expect(await reach(address)).toMatch(
        /^KAFKA_BROKERS .*authority that is not known here\. .*NODE_EXTRA_CA/,
      );
      trust();
      expect(await reach(address)).toBeNull();
    },
  );
  test('another name, an old certificate, a wrong password and the wrong protocol are each told', async () => {
    trust();
    const [other, expired, plain, signed, signedWrongly, wrongProtocol] = await Promise.all([
      reach(`localhost:${ports.get('OTHER')}`),
      reach(`localhost:${ports.get('EXPIRED')}`),
      reach(broker.address),
      reach(`localhost:${ports.get('SIGNED')}`, { password: SECRET }),
      reach(`localhost:${ports.get('SIGNED')}`, { password: 'wrong' }),
      reach(`localhost:${ports.get('GOOD')}`, { ssl: false }),
    ]);
    expect(other).toMatch(/another name: DNS:other\.example/);
    expect(expired).toMatch(/has expired/);
    expect(plain).toMatch(/does not speak TLS\. .*KAFKA_SSL=false/);
    expect(signed).toBeNull();
    expect(signedWrongly).toMatch(/does not let this user in\. Check KAFKA_SASL_MECHANISM/);
    expect(wrongProtocol).toMatch(/closes the connection.*KAFKA_SSL=true/);
  });
});
