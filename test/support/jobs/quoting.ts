import { inspect } from 'node:util'
import * as t from 'io-ts'
import { filter, tap } from 'rxjs'
import {
  asyncLookup,
  choice,
  defineJob,
  fromKafka,
  runMain,
  setting,
  sideOutput,
  text,
  toKafkaTransactional,
  type DeadLetter,
} from 'tidemark'

/** A codec of a careless job: it quotes what it refuses. */
const pin = new t.Type<string, string, string>(
  'four digits',
  (_value): _value is string => false,
  (input, context) =>
    /^\d{4}$/.test(input) ? t.success(input) : t.failure(input, context, `four digits, not ${input}`),
  String,
)

/** A password in every form in which a client's error may have it. */
function quotes(password: string): string {
  const basic = Buffer.from(`reader:${password}`)
  const url = new URL('https://reader@service.example.com/rows')
  url.password = password
  return [
    `no login with ${password}`,
    JSON.stringify({ password }),
    url.href,
    new URLSearchParams({ password }).toString(),
    `Authorization: Basic ${basic.toString('base64')}`,
    basic.toString('hex'),
    inspect({ password }),
  ].join('\n')
}

/** A job whose errors, logs, counts, summary and report quote its password, as careless clients do. */
const job = defineJob({
  name: 'quoting',
  settings: {
    'quoting.password': setting(text, { default: 'unset', secret: true, meaning: 'A password.', example: 'secret' }),
    'quoting.pin': setting(pin, { default: '0000', secret: true, meaning: 'A number.', example: '1234' }),
    'quoting.code': setting(pin, { default: '0000', meaning: 'A number.', example: '1234' }),
    'quoting.fails': setting(choice(['never', 'plan', 'record', 'explain', 'summary', 'later']), {
      default: 'never',
      meaning: 'Where it fails.',
      example: 'plan',
    }),
  },
  pipeline(context) {
    const { 'quoting.password': password, 'quoting.fails': fails } = context.settings
    const failure = (): Error => new Error(quotes(password), { cause: new TypeError(quotes(password)) })
    if (fails === 'plan') throw failure()
    const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters')
    return [
      fromKafka(context, { topic: 'quoting-in', groupId: 'quoting' }).pipe(
        tap(() => {
          for (const level of ['debug', 'info', 'warn', 'error'] as const) {
            context.log[level](quotes(password), { password, [quotes(password)]: quotes(password), error: failure() })
          }
          context.tally('quoted', [password])
          if (fails === 'record') throw failure()
          // Nobody waits for it.
          if (fails === 'later') void Promise.reject(failure())
        }),
        asyncLookup(context, {
          wait: 'ordered',
          lookup: () => Promise.reject(failure()),
          onError: deadLetters,
        }),
        filter(() => false),
      ),
      deadLetters.records$.pipe(toKafkaTransactional(context, { topic: 'quoting-dlq' })),
    ]
  },
  explain(input) {
    const { 'quoting.password': password, 'quoting.fails': fails } = input.settings
    if (fails === 'explain') throw new Error(quotes(password))
    return Promise.resolve([{ title: quotes(password), text: input.style('red', quotes(password)) }])
  },
  summary(input) {
    const { 'quoting.password': password, 'quoting.fails': fails } = input.settings
    if (fails === 'summary') throw new Error(quotes(password))
    return {
      lines: [input.style('bold', quotes(password))],
      reportHtml: `<p title="${quotes(password)}">${quotes(password)}</p>`,
    }
  },
})
export default job

if (import.meta.main) await runMain(job)
