import reconcile from '../../../jobs/reconcile.ts'
import { watchedJob } from '../watchedJob.ts'

export default watchedJob(reconcile)
