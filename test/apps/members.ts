import { App, Stack } from 'aws-cdk-lib';
import { Fanwire } from '../../infra/fanwire.ts';

// Members come with grants of the back end, and have an inbox each; anybody may read the news.
const app = new App({ analyticsReporting: false, outdir: process.env.CDK_OUTDIR ?? 'cdk.out' });
const history = { messages: 100, seconds: 600 };
new Fanwire(new Stack(app, 'Members'), 'Fanwire', {
  namespaces: {
    chat: { history },
    inbox: { history },
    state: { history },
    secret: { history, grants: 'required' },
  },
  auth: {
    grants: true,
    rights: {
      'chat/*': ['subscribe', 'publish', 'history'],
      'inbox/{sub}/*': ['subscribe', 'history'],
      'state/*': ['publish'],
      'state/mine': ['publish', 'version'],
      // Of no use: it requires grants.
      'secret/*': ['subscribe', 'history', 'publish'],
      '/users/*': ['send'],
    },
    anonymous: { 'news/*': ['subscribe'] },
  },
});
app.synth();
