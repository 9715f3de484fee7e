import reconcile from '../../../jobs/reconcile.ts'
import { withGuarantee } from '../withGuarantee.ts'

export default withGuarantee(reconcile, 'at-least-once')
