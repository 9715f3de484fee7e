import { defineConfig } from 'vitest/config'

/** Suites that talk to real servers, or start them. */
const servers = [
  'test/connectors/{kafka,cassandra}/**/*.test.ts',
  'test/services/**/*.test.ts',
  'test/guarantees/real/**/*.test.ts',
  'test/cli/realWorld.test.ts',
]

/**
 * Of these, what runs only when it is asked for, with TEST_SERVERS=1: long trials with faults, and suites that start several
 * servers of their own, which have not yet run often enough to decide over a landing.
 */
const onRequest = [
  'test/connectors/kafka/{brokerFaults,kafkaTaskLog,kafkaTopics,kafkaTransaction,killKafka,lostAnswers}.test.ts',
  'test/connectors/cassandra/{connectToCassandra,cqlQuery,lookupsInCassandra,outageOfCassandra}.test.ts',
  'test/services/{cassandraServer,kafkaServer}.test.ts',
  'test/guarantees/real/**/*.test.ts',
]

export default defineConfig({
  test: {
    // Starts nothing until a suite asks for a real server.
    globalSetup: ['test/support/realServersSetup.ts'],
    // A process per file: tests send signals, start programs and hold directory locks.
    pool: 'forks',
    testTimeout: 20_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: servers, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        // Not beside the others, and one at a time: servers, jobs and verifier share the machine.
        test: {
          name: 'servers',
          include: servers,
          exclude: process.env['TEST_SERVERS'] === '1' ? [] : onRequest,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
