import { TidemarkError } from '../../core/errors.ts'
import { jobLogPort } from '../../core/ports/jobLogs.ts'
import type { Resource } from '../../core/ports/port.ts'
import { defineSystem, provided } from '../../core/ports/system.ts'
import { setting } from '../../core/setting.ts'
import { integer } from '../../core/settingCodecs.ts'
import { storeCarePort, type StoreCare } from '../../core/ports/storeCare.ts'
import { tablesPort, type Tables } from '../../core/ports/tables.ts'
import { topicsPort, type Topics } from '../../core/ports/topics.ts'
import { rowLookupPort } from '../../tables/rowLookup.ts'
import { storeCare } from './damage/storeCare.ts'
import { EmbeddedJobLogs } from './log/embeddedJobLogs.ts'
import { heldRowLookup } from './log/heldRowLookup.ts'
import { holdForJob } from './shared/heldDirectory.ts'
import type { StoreAccess } from './shared/storeAccess.ts'
import { withStore } from './shared/withStore.ts'

/**
 * One short act on the store: on the one that a job of this process holds, else on one that is opened for as long as the act
 * takes, or asked through the process that holds it.
 */
type Acts = <T>(act: (store: StoreAccess) => Promise<T>) => Promise<T>

/** What a job and a command have of the data directory. */
interface OpenedDirectory {
  readonly logs: EmbeddedJobLogs
  readonly inStore: Acts
  readonly care: StoreCare
}

/** The log and the tables of the data directory, which stand in for every system that is not set. */
export const embeddedSystem = defineSystem({
  name: 'embedded',
  title: 'Embedded world',
  settings: {
    'embedded.partitions': setting(integer({ min: 1, max: 1024 }), {
      default: 4,
      meaning: 'Partitions of an embedded topic that is made on first use.',
      example: '4',
    }),
  },
  open(settings, environment): OpenedDirectory {
    const { clock, dataDirectory, runs, purpose, note } = environment
    const options = { clock, partitions: settings['embedded.partitions'], note }
    const logs = new EmbeddedJobLogs(() => {
      if (runs === null) throw new TidemarkError('broken-invariant', 'A directory is held for a job only')
      return holdForJob(dataDirectory, runs, options)
    })
    return {
      logs,
      care: storeCare(dataDirectory, environment),
      inStore: (act) =>
        logs.store === null ? withStore(dataDirectory, { ...options, purpose }, act) : act(logs.store),
    }
  },
  provides: [
    provided(jobLogPort, ({ logs }: OpenedDirectory) => logs),
    provided(topicsPort, ({ inStore }: OpenedDirectory) => storeActs(inStore)),
    provided(tablesPort, ({ inStore }: OpenedDirectory) => storeActs(inStore)),
    provided(storeCarePort, ({ care }: OpenedDirectory) => care),
    provided(rowLookupPort, ({ logs, inStore }: OpenedDirectory) =>
      logs.store === null ? heldRowLookup(inStore) : logs.store.rows,
    ),
  ],
})

/** Each call is an act of its own. */
function storeActs(inStore: Acts): Topics & Tables & Resource {
  return {
    connect: () => Promise.resolve(),
    close: () => Promise.resolve(),
    createTopic: (name, options) => inStore((store) => store.createTopic(name, options)),
    listTopics: (options) => inStore((store) => store.listTopics(options)),
    describeTopic: (name) => inStore((store) => store.describeTopic(name)),
    append: (records) => inStore((store) => store.append(records)),
    readPage: (request) => inStore((store) => store.readPage(request)),
    committedOffsets: (group) => inStore((store) => store.committedOffsets(group)),
    listTables: () => inStore((store) => store.listTables()),
    loadTable: (definition) => inStore((store) => store.loadTable(definition)),
    readTable: (keyspace, table, page) => inStore((store) => store.readTable(keyspace, table, page)),
  }
}
