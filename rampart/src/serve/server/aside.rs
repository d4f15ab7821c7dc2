//! What is done beside the loop, in threads of its own, and what the loop does with what comes of it.

use super::{ACCEPTED, FRONT, HELPERS, RECORDER, RELOADER, Server, WORKER};
use crate::audit::recorder::Recorder;
use crate::failure::Failure;
use crate::policy::renewal::Renewal;
use crate::serve::approvals::Outcome;
use crate::serve::brain::InForce;
use crate::serve::front::Inbox;
use crate::serve::heavy::{Content, Job, Worker};
use crate::serve::helpers::{Caller, Helpers, Wish};
use crate::serve::peer::Peer;
use crate::serve::reload::Reloader;
use crate::serve::reports::{answer, recorded, refused};
use crate::serve::requests::Handled;
use evaluator::wire::Kind;
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

impl Server {
    /// Has a request judged by the worker.
    pub(super) fn hand_over(&mut self, token: u64, kind: Kind, content: Content, peer: Peer) {
        if self.worker.is_none() {
            self.worker = Worker::start(self.desk.brain.another()).ok();
            let data = epoll::EventData::new_u64(WORKER);
            let watched = self.worker.as_ref().is_some_and(|worker| {
                epoll::add(&self.set, worker.bell(), data, epoll::EventFlags::IN).is_ok()
            });
            if !watched {
                self.worker = None;
            }
        }
        let policy = self.desk.policy.clone();
        let job = Job { token, kind, content, peer, policy };
        match &self.worker {
            Some(worker) if worker.take(job) => self.handled(Handled::Heavy, token),
            _ => self.tell(token, &answer(&Outcome::Full, false)),
        }
    }

    /// Answers what the worker has finished.
    pub(super) fn conclude(&mut self) {
        let finished = self.worker.as_ref().map(Worker::finished).unwrap_or_default();
        for (token, weighed) in finished {
            // Whoever has gone is not asked about.
            if let Some(client) = self.clients.get(token) {
                client.waits = false;
                let handled = self.desk.conclude(weighed, token);
                self.handled(handled, token);
            }
        }
    }

    /// Puts what `reloader` makes in force from now on.
    ///
    /// # Errors
    /// If the kernel does not let it wait for that.
    pub fn follow(&mut self, reloader: Reloader) -> rustix::io::Result<()> {
        let data = epoll::EventData::new_u64(RELOADER);
        epoll::add(&self.set, reloader.bell(), data, epoll::EventFlags::IN)?;
        self.reloader = Some(reloader);
        Ok(())
    }

    /// Swaps the policy. Requests that are being judged end with the one that they began with.
    pub(super) fn reload(&mut self) {
        let made = self.reloader.as_ref().and_then(Reloader::latest);
        if let Some(policy) = made.filter(|made| made.digest != self.desk.policy.digest) {
            self.put_in_force(policy);
        }
    }

    /// Has every thread judge by `policy` from now on.
    fn put_in_force(&mut self, policy: InForce) {
        self.desk.policy = policy.into();
        if let Some(helpers) = &self.helpers {
            helpers.follow(self.desk.policy.clone());
        }
    }

    /// Has threads of their own answer, too, what needs nothing but the policy.
    ///
    /// # Errors
    /// If there are none to be had, or the kernel does not let it wait for them.
    pub fn share_work(&mut self) -> Result<(), Failure> {
        let brain = || self.desk.brain.another();
        let (policy, answered) = (self.desk.policy.clone(), self.desk.answered.clone());
        let listener = self.listener.socket.as_fd();
        let helpers = Helpers::start(listener, (policy, answered), self.whom, brain)?;
        let data = epoll::EventData::new_u64(HELPERS);
        epoll::add(&self.set, helpers.bell(), data, epoll::EventFlags::IN)
            .map_err(super::failed)?;
        self.helpers = Some(helpers);
        Ok(())
    }

    /// Takes the clients that are no work for [`Helpers`].
    pub(super) fn help(&mut self) {
        let wishes = self.helpers.as_ref().map(|helpers| helpers.wishes(ACCEPTED));
        for wish in wishes.unwrap_or_default() {
            match wish {
                Wish::Take(caller) => self.adopt(*caller),
                Wish::Room => {
                    self.drop_oldest();
                }
            }
        }
    }

    fn adopt(&mut self, caller: Caller) {
        if self.clients.is_full() && !self.drop_oldest() {
            return;
        }
        let token = self.clients.add(caller.socket, caller.peer, caller.pid);
        if let Some(said) = caller.said {
            let mut body = Vec::new();
            self.received(token, said.into_received(&mut body));
        }
        self.keep(token);
    }

    /// Has the policy looked at in each round in which somebody says something.
    pub fn renew(&mut self, renewal: Renewal) {
        self.renewal = Some(renewal);
    }

    /// Takes a policy that has changed since the last round.
    pub(super) fn renewed(&mut self) {
        if let Some(policy) = self.renewal.as_mut().and_then(Renewal::due) {
            self.put_in_force(policy);
        }
    }

    /// Does what comes through `inbox` from other threads.
    ///
    /// # Errors
    /// If the kernel does not let it wait for that.
    pub fn take_work(&mut self, inbox: Inbox) -> rustix::io::Result<()> {
        let data = epoll::EventData::new_u64(FRONT);
        epoll::add(&self.set, inbox.bell(), data, epoll::EventFlags::IN)?;
        self.inbox = Some(inbox);
        Ok(())
    }

    /// Does what has come. It is confirmed when it is on the disk, at the end of the round.
    pub(super) fn work(&mut self) {
        if let Some(inbox) = &mut self.inbox {
            self.outbox.extend(inbox.run(&mut self.desk));
        }
    }

    /// Puts what clients want recorded into the log by `recorder`.
    ///
    /// # Errors
    /// As [`Server::watch`].
    pub fn record_by(&mut self, recorder: Recorder) -> rustix::io::Result<()> {
        self.watch(recorder.as_fd(), RECORDER)?;
        self.recorder = Some(recorder);
        Ok(())
    }

    /// Starts a recorder for the log of the first of `places` when somebody wants something recorded.
    pub fn record_later(&mut self, places: Vec<PathBuf>) {
        self.later = Some(places);
    }

    /// Has `events` recorded for client `token`, who waits for it, in the log of `directory`.
    pub(super) fn record(&mut self, token: u64, events: Vec<Vec<u8>>, log: Option<&Path>) {
        // What cannot be started now cannot be started later.
        let recorder = self.later.take().and_then(|places| Recorder::start(places).ok());
        if let Some(recorder) = recorder {
            let _ = self.record_by(recorder);
        }
        let Some(client) = self.clients.get(token) else {
            return;
        };
        // Whoever has given up has put its events elsewhere.
        let mut gone = [PollFd::new(&client.socket, PollFlags::empty())];
        if poll(&mut gone, Some(&Timespec::default())).is_ok_and(|count| count > 0) {
            return self.leave(token);
        }
        let uid = client.peer.uid;
        let recorded = match &mut self.recorder {
            None => Err("this evaluator keeps no log"),
            Some(all) if log.is_some_and(|log| !all.is_at(log)) => Err("the log is another one"),
            Some(all) => all.record(token, uid, events),
        };
        match recorded {
            Ok(()) => self.handled(Handled::Parked, token),
            Err(why) => self.tell(token, &refused(why)),
        }
    }

    /// Tells those whose events are durable now.
    pub(super) fn recorded(&mut self) {
        for (token, result) in self.recorder.as_ref().map(Recorder::done).unwrap_or_default() {
            self.tell(token, &recorded(result));
        }
    }
}
