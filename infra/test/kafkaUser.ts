import { z } from 'zod';
import { adapterSettings, adapterVariables } from '../src/adapters.settings.ts';
import { openKafka } from '../src/kafka/kafka.ts';
import { loadConfig } from '../src/runtime/config.ts';
import { realRuntime } from '../src/runtime/runtime.ts';

/** Makes a topic at the Kafka that the environment names, and says `ok` or why not. */
const { kafka } = adapterSettings(loadConfig(z.object(adapterVariables)));
if (!kafka) throw new Error('KAFKA_BROKERS is not set');
await openKafka(kafka, { clientId: 'test', runtime: realRuntime })
  .prepareTopics([{ name: 'made-by-a-user', partitions: 3 }])
  .then(
    () => console.log('ok'),
    (error: unknown) => console.log(String(error)),
  );
