"""Workers on other machines, whatever placed them: a *minder* beside each worker, and the *desk* in the host's process that minders
dial.  Knows nothing of Ray, Slurm and the like: they only start a minder somewhere.

    lease.py     when a worker that is cut off ends itself, and when the host may replace it (pure)
    words.py     what minder and desk say to each other
    desk.py      the host's side: admits minders, keeps their output, opens tunnels
    minder.py    the other side: starts the worker, keeps the lease, ends all of it
    way_to_app.py  how a worker reaches the app's own server, through its minder and the desk
    parcel.py    the app's folder on its way to another machine
"""
